locals {
  # Each description says what to do; docs/operations.md says more.
  alarms = {
    FunctionErrorsAlarm = {
      description        = "An invocation ended without a response: a crash at the start, a timeout, or no memory left. Read the log of that time: a line that begins with \"change-password:\" names a wrong setting."
      namespace          = "AWS/Lambda"
      metric_name        = "Errors"
      dimensions         = { FunctionName = aws_lambda_function.change_password.function_name }
      statistic          = "Sum"
      period             = 60
      evaluation_periods = 1
      threshold          = 1
    }
    InternalErrorsAlarm = {
      description        = "The function returned 500 internal_error. The audit event's cause shows whether the reason is a wrong pool or region, or a bug."
      namespace          = "ChangePassword"
      metric_name        = "outcomes"
      dimensions         = { function = aws_lambda_function.change_password.function_name, code = "internal_error" }
      statistic          = "Sum"
      period             = 60
      evaluation_periods = 1
      threshold          = 1
    }
    ServerErrorsAlarm = {
      description        = "The API returned 5xx five times in five minutes. The metric outcomes has the codes: for upstream_error, upstream_unavailable and outcome_unknown, Cognito or the connection to it is at fault (AWS Health); internal_error has its own alarm; no code means that API Gateway got no response from the function (the access log's integrationError)."
      namespace          = "AWS/ApiGateway"
      metric_name        = "5xx"
      dimensions         = { ApiId = aws_apigatewayv2_api.api.id }
      statistic          = "Sum"
      period             = 300
      evaluation_periods = 1
      threshold          = 5
    }
    NotAuthorizedAlarm = {
      description        = "Cognito rejected a change with a message that this function does not know. The audit event's cause names the exception; docs/operations.md explains how to find its text, which is not logged. Users get 403 not_authorized until src/cognito/refusal.rs includes the message."
      namespace          = "ChangePassword"
      metric_name        = "outcomes"
      dimensions         = { function = aws_lambda_function.change_password.function_name, code = "not_authorized" }
      statistic          = "Sum"
      period             = 300
      evaluation_periods = 1
      threshold          = 1
    }
    OutcomeUnknownAlarm = {
      description        = "A change was sent to Cognito, and neither a second request nor a probe showed whether it was made. The app tells the user to try the new password. Check whether they signed in (docs/audit-event.md has the query). The audit event's doubt and cause describe the failure. If many users are affected, see AWS Health for Cognito."
      namespace          = "ChangePassword"
      metric_name        = "outcomes"
      dimensions         = { function = aws_lambda_function.change_password.function_name, code = "outcome_unknown" }
      statistic          = "Sum"
      period             = 300
      evaluation_periods = 1
      threshold          = 1
    }
    ReadOnlyReplicaAlarm = {
      description        = "Cognito refused three changes in five minutes because the user pool in this region is a read-only replica. Nothing was changed, and nobody can change a password until the function reaches the primary. Check whether the pool has failed over, and send clients to the API in the primary's region."
      namespace          = "ChangePassword"
      metric_name        = "read_only_replica"
      dimensions         = { function = aws_lambda_function.change_password.function_name }
      statistic          = "Sum"
      period             = 300
      evaluation_periods = 1
      threshold          = 3
    }
    RequestBlockedAlarm = {
      description        = "The user pool's web ACL or an access policy of the organisation blocked ten changes within an hour. Nothing was changed. Compare the addresses in the web ACL's IP set and in the resource control policy with those from which the function calls Cognito. If they agree, the web ACL's logs name the rule."
      namespace          = "ChangePassword"
      metric_name        = "outcomes"
      dimensions         = { function = aws_lambda_function.change_password.function_name, code = "request_blocked" }
      statistic          = "Sum"
      period             = 3600
      evaluation_periods = 1
      threshold          = 10
    }
    FunctionThrottlesAlarm = {
      description        = "Lambda throttled requests. Clients see a bare 5xx, and nothing was changed. Raise reserved_concurrency, or the account's concurrency quota if none is reserved."
      namespace          = "AWS/Lambda"
      metric_name        = "Throttles"
      dimensions         = { FunctionName = aws_lambda_function.change_password.function_name }
      statistic          = "Sum"
      period             = 60
      evaluation_periods = 1
      threshold          = 1
    }
    GatewayThrottlesAlarm = {
      description        = "API Gateway throttled 50 requests within five minutes, before they reached the function: clients got 429. Either many users came at once, or a single caller used up the shared limit. The function's audit events show whose requests got through; docs/operations.md explains how to throttle a single caller."
      namespace          = "ChangePassword"
      metric_name        = aws_cloudwatch_log_metric_filter.gateway_throttles.metric_transformation[0].name
      dimensions         = {}
      statistic          = "Sum"
      period             = 300
      evaluation_periods = 1
      threshold          = 50
    }
    CognitoThrottlesAlarm = {
      description        = "Cognito's rate quota, which forgotten passwords share, was exceeded five times in five minutes. AWS does not raise it: find out what else uses it, or lower change_rate_limit and change_burst_limit (docs/scale.md)."
      namespace          = "ChangePassword"
      metric_name        = "outcomes"
      dimensions         = { function = aws_lambda_function.change_password.function_name, code = "too_many_requests" }
      statistic          = "Sum"
      period             = 300
      evaluation_periods = 1
      threshold          = 5
    }
    LatencyAlarm = {
      description        = "For a quarter of an hour, one request in a hundred took three seconds or more. The metric cognito_latency shows whether Cognito was slow; if it was not, look for cold starts and for a policy that checks known breaches."
      namespace          = "AWS/ApiGateway"
      metric_name        = "Latency"
      dimensions         = { ApiId = aws_apigatewayv2_api.api.id }
      extended_statistic = "p99"
      period             = 300
      evaluation_periods = 3
      threshold          = 3000
    }
  }

  alarm_actions = var.alarm_topic_arn != "" ? [var.alarm_topic_arn] : []
}

resource "aws_cloudwatch_metric_alarm" "alarm" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric_name
  dimensions          = each.value.dimensions
  statistic           = lookup(each.value, "statistic", null)
  extended_statistic  = lookup(each.value, "extended_statistic", null)
  period              = each.value.period
  evaluation_periods  = each.value.evaluation_periods
  threshold           = each.value.threshold
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
}

# A read-only replica's answers have the same code and their own alarm, so they are subtracted.
resource "aws_cloudwatch_metric_alarm" "upstream_unavailable" {
  alarm_name          = "${var.name}-UpstreamUnavailableAlarm"
  alarm_description   = "Cognito, or a breach service that the policy requires, could not be reached three times in five minutes. Nothing was changed, and clients send again. The audit event's cause names the service's fault: name resolution, a connection or a certificate. See AWS Health for Cognito."
  evaluation_periods  = 1
  threshold           = 3
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions

  # Both metrics of a request come from one line of the log, so FILL does not hide a late value.
  metric_query {
    id          = "unreachable"
    expression  = "outcomes - FILL(replica, 0)"
    label       = "Not reached"
    return_data = true
  }

  metric_query {
    id = "outcomes"

    metric {
      namespace   = "ChangePassword"
      metric_name = "outcomes"
      dimensions  = { function = aws_lambda_function.change_password.function_name, code = "upstream_unavailable" }
      stat        = "Sum"
      period      = 300
    }
  }

  metric_query {
    id = "replica"

    metric {
      namespace   = "ChangePassword"
      metric_name = "read_only_replica"
      dimensions  = { function = aws_lambda_function.change_password.function_name }
      stat        = "Sum"
      period      = 300
    }
  }
}

# HTTP APIs have no metric of throttled requests, only of all 4xx. functionRequestId is "-" where the
# function was not asked, so its own 429s are not counted here.
resource "aws_cloudwatch_log_metric_filter" "gateway_throttles" {
  name           = "gateway-throttles"
  log_group_name = aws_cloudwatch_log_group.access.name
  pattern        = "{ ($.status = \"429\") && ($.functionRequestId = \"-\") }"

  metric_transformation {
    namespace = "ChangePassword"
    # No dimension, since it would have to be a field of the log.
    name          = "gateway_throttles_${var.name}"
    value         = "1"
    default_value = "0"
    unit          = "Count"
  }
}
