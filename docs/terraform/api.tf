data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  pool_issuer = "https://cognito-idp.${data.aws_region.current.region}.${data.aws_partition.current.dns_suffix}/${var.user_pool_id}"

  has_domain = var.domain_name != ""

  # Each route, whether it has the authorizer, and its throttle. Cognito's quota limits the changes; the
  # comments in template.yaml have the arithmetic.
  every_route = {
    "POST /change-password" = {
      signed_in = true
      rate      = var.cognito_wire_protocol ? 2 : var.change_rate_limit
      burst     = var.cognito_wire_protocol ? 3 : var.change_burst_limit
    }
    # Cognito's wire format has its token in the body, where no authorizer can read it. The function
    # verifies it.
    "POST /" = {
      signed_in = false
      rate      = var.cognito_wire_protocol ? 2 : var.change_rate_limit
      burst     = var.cognito_wire_protocol ? 3 : var.change_burst_limit
    }
    "POST /check-password"              = { signed_in = true, rate = 20, burst = 40 }
    "GET /password-policy"              = { signed_in = false, rate = 50, burst = 100 }
    "HEAD /password-policy"             = { signed_in = false, rate = 50, burst = 100 }
    "GET /.well-known/change-password"  = { signed_in = false, rate = 50, burst = 100 }
    "HEAD /.well-known/change-password" = { signed_in = false, rate = 50, burst = 100 }
  }

  routes = {
    for key, route in local.every_route : key => route
    if key != "POST /" || var.cognito_wire_protocol
  }

  # The members of a line of the access log, in their order: if API Gateway did not escape the user
  # agent, a forged member in it would be replaced by the real one, which comes later. By default
  # there is no address, no user agent and no claim of the token.
  access_log = concat(
    var.access_log_clients ? [
      ["userAgent", "$context.identity.userAgent"],
      ["sourceIp", "$context.identity.sourceIp"],
    ] : [],
    [
      ["requestId", "$context.requestId"],
      # The requestId of a problem, which leads to the function's log.
      ["functionRequestId", "$context.integration.requestId"],
      ["time", "$context.requestTime"],
      ["route", "$context.routeKey"],
      ["status", "$context.status"],
      ["latency", "$context.responseLatency"],
      ["integrationError", "$context.integrationErrorMessage"],
      ["authorizerError", "$context.authorizer.error"],
    ],
  )
}

resource "aws_apigatewayv2_api" "api" {
  name                         = var.name
  protocol_type                = "HTTP"
  disable_execute_api_endpoint = var.disable_execute_api_endpoint

  dynamic "cors_configuration" {
    for_each = length(var.cors_origins) > 0 ? [1] : []

    content {
      allow_origins  = var.cors_origins
      allow_methods  = ["GET", "HEAD", "POST"]
      allow_headers  = ["authorization", "content-type", "if-none-match"]
      expose_headers = ["etag", "retry-after", "www-authenticate"]
      max_age        = 3600
    }
  }
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
  integration_uri        = aws_lambda_alias.live.invoke_arn
  payload_format_version = "2.0"
}

resource "aws_apigatewayv2_route" "route" {
  for_each = local.routes

  api_id             = aws_apigatewayv2_api.api.id
  route_key          = each.key
  target             = "integrations/${aws_apigatewayv2_integration.function.id}"
  authorization_type = each.value.signed_in ? "JWT" : "NONE"
  authorizer_id      = each.value.signed_in ? aws_apigatewayv2_authorizer.access_token.id : null
  # No ID token has a scope, so this keeps them out too.
  authorization_scopes = each.value.signed_in ? ["aws.cognito.signin.user.admin"] : null
}

resource "aws_lambda_permission" "route" {
  for_each = local.routes

  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.change_password.function_name
  qualifier     = aws_lambda_alias.live.name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.api.execution_arn}/*/${replace(each.key, " ", "")}"
}

resource "aws_apigatewayv2_stage" "default" {
  api_id      = aws_apigatewayv2_api.api.id
  name        = "$default"
  auto_deploy = true

  default_route_settings {
    throttling_rate_limit  = local.every_route["POST /change-password"].rate
    throttling_burst_limit = local.every_route["POST /change-password"].burst
  }

  dynamic "route_settings" {
    for_each = local.routes

    content {
      route_key              = aws_apigatewayv2_route.route[route_settings.key].route_key
      throttling_rate_limit  = route_settings.value.rate
      throttling_burst_limit = route_settings.value.burst
    }
  }

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    format          = "{${join(",", [for member in local.access_log : "\"${member[0]}\":\"${member[1]}\""])}}"
  }
}

resource "aws_cloudwatch_log_group" "access" {
  # API Gateway's permission to write is one resource policy of limited length for all log groups;
  # this prefix is in it once and for all.
  name              = "/aws/vendedlogs/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn != "" ? var.kms_key_arn : null
}

resource "aws_apigatewayv2_domain_name" "domain" {
  count       = local.has_domain ? 1 : 0
  domain_name = var.domain_name

  domain_name_configuration {
    certificate_arn = var.certificate_arn
    endpoint_type   = "REGIONAL"
    security_policy = "TLS_1_2"
  }
}

resource "aws_apigatewayv2_api_mapping" "domain" {
  count       = local.has_domain ? 1 : 0
  domain_name = aws_apigatewayv2_domain_name.domain[0].id
  api_id      = aws_apigatewayv2_api.api.id
  stage       = aws_apigatewayv2_stage.default.id
}

resource "aws_route53_record" "domain" {
  count   = local.has_domain && var.hosted_zone_id != "" ? 1 : 0
  zone_id = var.hosted_zone_id
  name    = var.domain_name
  type    = "A"

  alias {
    name                   = aws_apigatewayv2_domain_name.domain[0].domain_name_configuration[0].target_domain_name
    zone_id                = aws_apigatewayv2_domain_name.domain[0].domain_name_configuration[0].hosted_zone_id
    evaluate_target_health = false
  }
}
