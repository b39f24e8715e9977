resource "aws_lambda_function" "change_password" {
  function_name    = var.name
  description      = "Changes the password of a signed-in Cognito user."
  filename         = var.zip_file != "" ? var.zip_file : null
  source_code_hash = var.zip_file != "" ? filebase64sha256(var.zip_file) : null
  s3_bucket        = var.code_bucket != "" ? var.code_bucket : null
  s3_key           = var.code_key != "" ? var.code_key : null
  handler          = "bootstrap"
  runtime          = "provided.al2023"
  architectures    = [var.architecture]
  memory_size      = var.memory_size
  # At most five calls of Cognito, and a second for the answer. API Gateway gives up after 30 s.
  timeout                        = 28
  reserved_concurrent_executions = var.reserved_concurrency
  layers                         = var.layer_arns
  role                           = aws_iam_role.function.arn
  # Each change of the code or of a setting makes a version.
  publish = true

  logging_config {
    log_format            = "JSON"
    application_log_level = var.log_level
    log_group             = aws_cloudwatch_log_group.function.name
  }

  tracing_config {
    mode = var.tracing
  }

  dynamic "vpc_config" {
    for_each = length(var.subnet_ids) > 0 ? [1] : []

    content {
      subnet_ids         = var.subnet_ids
      security_group_ids = var.security_group_ids
    }
  }

  environment {
    variables = {
      USER_POOL_ID                               = var.user_pool_id
      USER_POOL_CLIENT_IDS                       = join(",", var.user_pool_client_ids)
      TOKEN_ISSUER                               = var.token_issuer
      CHANGE_PASSWORD_URL                        = var.change_password_url
      COGNITO_WIRE_PROTOCOL                      = var.cognito_wire_protocol
      ORIGIN_SECRETS                             = join(",", var.origin_secrets)
      PASSWORD_POLICY                            = var.password_policy
      PASSWORD_POLICY_FILE                       = var.password_policy_file
      COGNITO_CONNECT_TIMEOUT_MS                 = var.cognito_connect_timeout_ms
      COGNITO_CALL_TIMEOUT_MS                    = var.cognito_call_timeout_ms
      AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER = var.cognito_endpoint
      AWS_USE_FIPS_ENDPOINT                      = var.use_fips_endpoint
      AWS_USE_DUALSTACK_ENDPOINT                 = var.use_dual_stack_endpoint
      AWS_CA_BUNDLE                              = var.ca_bundle
      USER_CHANGES_PER_MINUTE                    = var.user_changes_per_minute
    }
  }

  # Lambda needs them to create the function, and must not lose them before it is deleted.
  depends_on = [
    aws_iam_role_policy.write_log,
    aws_iam_role_policy.send_traces,
    aws_iam_role_policy.join_network,
  ]
}

resource "aws_lambda_alias" "live" {
  name             = "live"
  description      = "The version that the API calls."
  function_name    = aws_lambda_function.change_password.function_name
  function_version = aws_lambda_function.change_password.version
}

# The audit trail, so `terraform destroy` leaves it, and the next deployment gets another name.
resource "aws_cloudwatch_log_group" "function" {
  name_prefix       = "/aws/lambda/${var.name}-"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn != "" ? var.kms_key_arn : null
  skip_destroy      = true
}

# No Cognito permission: the user's own token is what allows the change, so the function can change
# nobody else's password. Nor may it create log groups, which would keep their lines for ever.
resource "aws_iam_role" "function" {
  name_prefix          = "${var.name}-"
  permissions_boundary = var.permissions_boundary_arn != "" ? var.permissions_boundary_arn : null

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "write_log" {
  name = "write-log"
  role = aws_iam_role.function.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "${aws_cloudwatch_log_group.function.arn}:*"
    }]
  })
}

resource "aws_iam_role_policy" "send_traces" {
  count = var.tracing == "Active" ? 1 : 0
  name  = "send-traces"
  role  = aws_iam_role.function.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
      Resource = "*"
    }]
  })
}

locals {
  # What Lambda needs to connect a function to a VPC (Lambda developer guide).
  network_actions = [
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
  ]
}

resource "aws_iam_role_policy" "join_network" {
  count = length(var.subnet_ids) > 0 ? 1 : 0
  name  = "join-network"
  role  = aws_iam_role.function.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = local.network_actions
      Resource = "*"
    }]
  })
}

# Lambda uses those permissions; the function's own code may not.
resource "aws_iam_role_policy" "no_network_calls_by_code" {
  count = length(var.subnet_ids) > 0 ? 1 : 0
  name  = "no-network-calls-by-code"
  role  = aws_iam_role.function.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Deny"
      Action    = local.network_actions
      Resource  = "*"
      Condition = { ArnEquals = { "lambda:SourceFunctionArn" = aws_lambda_function.change_password.arn } }
    }]
  })
}
