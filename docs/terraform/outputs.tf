locals {
  endpoint = var.disable_execute_api_endpoint ? "https://${var.domain_name}" : aws_apigatewayv2_api.api.api_endpoint
}

output "endpoint" {
  description = "The base address of the API, to which domain_name adds another."
  value       = local.endpoint
}

output "change_password_url" {
  description = "Where a signed-in user's app sends a POST."
  value       = "${local.endpoint}/change-password"
}

output "password_policy_url" {
  description = "Where anyone reads the rules."
  value       = "${local.endpoint}/password-policy"
}

output "function_name" {
  description = "The function's name."
  value       = aws_lambda_function.change_password.function_name
}

output "log_group" {
  description = "The function's log."
  value       = aws_cloudwatch_log_group.function.name
}

output "access_log_group" {
  description = "The API's access log, which also has the requests that the authorizer rejected."
  value       = aws_cloudwatch_log_group.access.name
}

output "domain_target" {
  description = "The target for a record of domain_name, where hosted_zone_id was not given. Null without domain_name."
  value       = local.has_domain ? aws_apigatewayv2_domain_name.domain[0].domain_name_configuration[0].target_domain_name : null
}
