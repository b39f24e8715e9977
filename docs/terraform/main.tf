# What template.yaml deploys at the least, for those who use Terraform: the API with its authorizer
# and throttles, the function, its log and its role. Access log, alarms, dashboard and events are
# left to you.
#
#   cargo lambda build --release --arm64 --locked --bin change-password --output-format zip
#   terraform -chdir=docs/terraform apply

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.40, < 7"
    }
  }
}

variable "name" {
  type    = string
  default = "change-password"
}

variable "region" {
  type        = string
  description = "The region of the user pool."
}

variable "user_pool_id" {
  type = string
}

variable "user_pool_client_ids" {
  type = list(string)
}

variable "token_issuer" {
  type        = string
  description = "The issuer of the pool's tokens, if the pool has the updated one."
  default     = ""
}

variable "token_audiences" {
  type        = list(string)
  description = "The URLs of resource servers to which app clients bind their access tokens."
  default     = []
}

variable "change_password_url" {
  type        = string
  description = "The page to which GET /.well-known/change-password redirects."
  default     = ""
}

variable "cognito_wire_protocol" {
  type        = bool
  description = "Whether POST / answers Cognito's own clients: see docs/cognito-clients.md."
  default     = false
}

provider "aws" {
  region = var.region
}

data "aws_partition" "current" {}

locals {
  pool_issuer = "https://cognito-idp.${var.region}.${data.aws_partition.current.dns_suffix}/${var.user_pool_id}"

  zip = "${path.module}/../../target/lambda/change-password/bootstrap.zip"
}

resource "aws_cloudwatch_log_group" "function" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = 30
}

# No Cognito permission: the user's own token is what allows the change.
resource "aws_iam_role" "function" {
  name = var.name
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

resource "aws_lambda_function" "change_password" {
  function_name    = var.name
  filename         = local.zip
  source_code_hash = filebase64sha256(local.zip)
  handler          = "bootstrap"
  runtime          = "provided.al2023"
  architectures    = ["arm64"]
  memory_size      = 256
  timeout          = 28
  role             = aws_iam_role.function.arn

  logging_config {
    log_format = "JSON"
    # Not above INFO, at which Lambda would drop audit events and metrics.
    application_log_level = "INFO"
    log_group             = aws_cloudwatch_log_group.function.name
  }

  environment {
    variables = {
      USER_POOL_ID               = var.user_pool_id
      USER_POOL_CLIENT_IDS       = join(",", var.user_pool_client_ids)
      TOKEN_ISSUER               = var.token_issuer
      CHANGE_PASSWORD_URL        = var.change_password_url
      COGNITO_WIRE_PROTOCOL      = var.cognito_wire_protocol
      COGNITO_CONNECT_TIMEOUT_MS = "1000"
      COGNITO_CALL_TIMEOUT_MS    = "5000"
    }
  }
}

resource "aws_apigatewayv2_api" "api" {
  name          = var.name
  protocol_type = "HTTP"
}

resource "aws_apigatewayv2_authorizer" "access_token" {
  api_id           = aws_apigatewayv2_api.api.id
  name             = "AccessToken"
  authorizer_type  = "JWT"
  identity_sources = ["$request.header.Authorization"]

  jwt_configuration {
    issuer   = var.token_issuer != "" ? var.token_issuer : local.pool_issuer
    audience = concat(var.user_pool_client_ids, var.token_audiences)
  }
}

resource "aws_apigatewayv2_integration" "function" {
  api_id                 = aws_apigatewayv2_api.api.id
  integration_type       = "AWS_PROXY"
  integration_uri        = aws_lambda_function.change_password.invoke_arn
  payload_format_version = "2.0"
}

resource "aws_apigatewayv2_route" "signed_in" {
  for_each = toset([
    "POST /change-password",
    "POST /check-password",
  ])
  api_id               = aws_apigatewayv2_api.api.id
  route_key            = each.key
  target               = "integrations/${aws_apigatewayv2_integration.function.id}"
  authorization_type   = "JWT"
  authorizer_id        = aws_apigatewayv2_authorizer.access_token.id
  authorization_scopes = ["aws.cognito.signin.user.admin"]
}

resource "aws_apigatewayv2_route" "open" {
  for_each = toset([
    "GET /password-policy",
    "HEAD /password-policy",
    "GET /.well-known/change-password",
    "HEAD /.well-known/change-password",
  ])
  api_id    = aws_apigatewayv2_api.api.id
  route_key = each.key
  target    = "integrations/${aws_apigatewayv2_integration.function.id}"
}

# Cognito's wire format has its token in the body, where no authorizer can read it: the function verifies it.
resource "aws_apigatewayv2_route" "cognito_wire" {
  count     = var.cognito_wire_protocol ? 1 : 0
  api_id    = aws_apigatewayv2_api.api.id
  route_key = "POST /"
  target    = "integrations/${aws_apigatewayv2_integration.function.id}"
}

resource "aws_apigatewayv2_stage" "default" {
  api_id      = aws_apigatewayv2_api.api.id
  name        = "$default"
  auto_deploy = true

  default_route_settings {
    throttling_rate_limit  = 50
    throttling_burst_limit = 100
  }

  # Below Cognito's quota: see the arithmetic in template.yaml.
  route_settings {
    route_key              = aws_apigatewayv2_route.signed_in["POST /change-password"].route_key
    throttling_rate_limit  = var.cognito_wire_protocol ? 2 : 5
    throttling_burst_limit = var.cognito_wire_protocol ? 3 : 5
  }

  dynamic "route_settings" {
    for_each = aws_apigatewayv2_route.cognito_wire
    content {
      route_key              = route_settings.value.route_key
      throttling_rate_limit  = 2
      throttling_burst_limit = 3
    }
  }

  route_settings {
    route_key              = aws_apigatewayv2_route.signed_in["POST /check-password"].route_key
    throttling_rate_limit  = 20
    throttling_burst_limit = 40
  }
}

resource "aws_lambda_permission" "api" {
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.change_password.function_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.api.execution_arn}/*/*"
}

output "endpoint" {
  value = aws_apigatewayv2_api.api.api_endpoint
}
