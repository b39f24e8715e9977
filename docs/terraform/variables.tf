# The module's own variables: the template has none of these.

variable "name" {
  type        = string
  description = "The function's name, and the beginning of every other name."
  default     = "change-password"
  nullable    = false

  # IAM allows 38 characters for the prefix of a role's name, which is this and a hyphen.
  validation {
    condition     = can(regex("^[A-Za-z0-9-]{1,37}$", var.name))
    error_message = "name is 1 to 37 letters, digits or hyphens."
  }
}

variable "zip_file" {
  type        = string
  description = "The path of the function's zip file, such as the one of a release. Empty for code_bucket and code_key."
  default     = ""
  nullable    = false

  validation {
    condition     = (var.zip_file == "") != (var.code_key == "")
    error_message = "Either zip_file or code_bucket and code_key must be given."
  }
}

variable "code_bucket" {
  type        = string
  description = "The S3 bucket of the function's zip file, in the same region. Empty for zip_file."
  default     = ""
  nullable    = false

  validation {
    condition     = (var.code_bucket == "") == (var.code_key == "")
    error_message = "code_bucket and code_key need each other."
  }
}

variable "code_key" {
  type        = string
  description = "The object in code_bucket. Give each build a new key: Terraform does not notice a new object under an old key."
  default     = ""
  nullable    = false
}

# The parameters of template.yaml, whose comments have the reasons for the numbers.

variable "user_pool_id" {
  type        = string
  description = "The user pool, such as eu-west-1_Ab12Cd34E. It must be in the region of the provider."
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2,}(-[a-z]+)+-[0-9]_[A-Za-z0-9]+$", var.user_pool_id))
    error_message = "user_pool_id is the id of a user pool, such as eu-west-1_Ab12Cd34E."
  }
}

variable "user_pool_client_ids" {
  type        = list(string)
  description = "The ids of the app clients whose tokens are accepted."
  nullable    = false

  validation {
    condition     = alltrue([for id in var.user_pool_client_ids : can(regex("^[A-Za-z0-9]+$", id))])
    error_message = "App client ids are letters and digits."
  }

  validation {
    condition     = length(var.user_pool_client_ids) > 0
    error_message = "user_pool_client_ids needs at least one app client."
  }
}

variable "password_policy" {
  type        = string
  description = "The password policy in TOML, with the keys of password-policy.toml but without comments. It replaces the built-in policy completely. Empty for the built-in policy."
  default     = ""
  nullable    = false

  validation {
    condition     = length(var.password_policy) <= 3072
    error_message = "password_policy has at most 3072 characters."
  }

  validation {
    condition     = var.password_policy == "" || var.password_policy_file == ""
    error_message = "password_policy and password_policy_file cannot both be set."
  }
}

variable "password_policy_file" {
  type        = string
  description = "The path of a policy file in a layer of layer_arns, such as /opt/password-policy.toml. Empty for password_policy or the built-in policy."
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(/opt/.+)?$", var.password_policy_file))
    error_message = "password_policy_file is empty or a path below /opt/."
  }

  validation {
    condition     = var.password_policy_file == "" || length(var.layer_arns) > 0
    error_message = "password_policy_file needs layer_arns."
  }
}

variable "token_issuer" {
  type        = string
  description = "The issuer of the pool's tokens, if the pool uses the updated issuer (https://issuer-cognito-idp...). Empty for the original issuer."
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(https://.+)?$", var.token_issuer))
    error_message = "token_issuer is empty or an https:// URL."
  }
}

variable "token_audiences" {
  type        = list(string)
  description = "The URLs of resource servers to which app clients bind their access tokens. Such a token has the URL as its aud claim, and API Gateway then compares aud instead of client_id."
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for audience in var.token_audiences : can(regex("^[^,\\s]+$", audience))])
    error_message = "A token audience has no comma and no space."
  }
}

variable "change_password_url" {
  type        = string
  description = "The page on which users change their password. GET /.well-known/change-password redirects password managers to it. Empty for none."
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(https://.+)?$", var.change_password_url))
    error_message = "change_password_url is empty or an https:// URL."
  }
}

variable "cognito_wire_protocol" {
  type        = bool
  description = "Whether POST / accepts requests of Cognito's own clients, such as the AWS CLI, in Cognito's wire format. Then change_rate_limit and change_burst_limit do not apply: each of the two routes has a rate of 2 and a burst of 3."
  default     = false
  nullable    = false
}

variable "architecture" {
  type        = string
  description = "The processor for which the zip file was built."
  default     = "arm64"
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture is arm64 or x86_64."
  }
}

variable "memory_size" {
  type        = number
  description = "The function's memory in MB. Lambda allocates processor time in proportion."
  default     = 256
  nullable    = false

  validation {
    condition     = var.memory_size >= 128 && var.memory_size <= 10240
    error_message = "memory_size is 128 to 10240."
  }
}

variable "layer_arns" {
  type        = list(string)
  description = "Layers of the function, for password_policy_file and ca_bundle."
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.layer_arns : can(regex("^arn:.+:lambda:.+:layer:.+:[0-9]+$", arn))])
    error_message = "layer_arns are ARNs of layer versions."
  }
}

variable "cognito_connect_timeout_ms" {
  type        = number
  description = "The time limit for a connection to Cognito, in milliseconds."
  default     = 1000
  nullable    = false

  validation {
    condition     = var.cognito_connect_timeout_ms >= 1 && var.cognito_connect_timeout_ms <= 5400
    error_message = "cognito_connect_timeout_ms is 1 to 5400."
  }
}

variable "cognito_call_timeout_ms" {
  type        = number
  description = "The time limit for each call to Cognito, in milliseconds."
  default     = 5000
  nullable    = false

  validation {
    condition     = var.cognito_call_timeout_ms >= 500 && var.cognito_call_timeout_ms <= 5400
    error_message = "cognito_call_timeout_ms is 500 to 5400."
  }
}

variable "cognito_endpoint" {
  type        = string
  description = "The URL at which Cognito is called, such as https://cognito-idp.eu-west-1.amazonaws.com if the pool's primary is in another region than the function. Empty for AWS's own endpoint in this region."
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(https://.+)?$", var.cognito_endpoint))
    error_message = "cognito_endpoint is empty or an https:// URL."
  }
}

variable "use_fips_endpoint" {
  type        = bool
  description = "Whether to call Cognito at its FIPS endpoint, which exists in some regions."
  default     = false
  nullable    = false
}

variable "use_dual_stack_endpoint" {
  type        = bool
  description = "Whether to call Cognito at its dual-stack endpoint (IPv4 and IPv6)."
  default     = false
  nullable    = false
}

variable "ca_bundle" {
  type        = string
  description = "The path of a PEM file in a layer of layer_arns, such as /opt/roots.pem, with the root certificates to trust for Cognito instead of Amazon's. Empty for Amazon's."
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(/opt/.+)?$", var.ca_bundle))
    error_message = "ca_bundle is empty or a path below /opt/."
  }

  validation {
    condition     = var.ca_bundle == "" || length(var.layer_arns) > 0
    error_message = "ca_bundle needs layer_arns."
  }
}

variable "user_changes_per_minute" {
  type        = number
  description = "The maximum number of changes for one user that are forwarded to Cognito in a minute. Each execution environment counts for itself."
  default     = 10
  nullable    = false

  validation {
    condition     = var.user_changes_per_minute >= 1 && var.user_changes_per_minute <= 1000000
    error_message = "user_changes_per_minute is 1 to 1000000."
  }
}

variable "permissions_boundary_arn" {
  type        = string
  description = "The permissions boundary of the function's role. Empty for none."
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(arn:.+:iam::.+:policy/.+)?$", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn is empty or the ARN of an IAM policy."
  }
}

variable "log_retention_days" {
  type        = number
  description = "How many days the logs are kept. The function's log is the audit trail."
  default     = 365
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a period that CloudWatch Logs accepts."
  }
}

variable "access_log_clients" {
  type        = bool
  description = "Whether the access log records each client's address and user agent, which are personal data. The audit trail records them for every request that reaches the function; the access log would also record them for requests that the authorizer or the throttle rejects."
  default     = false
  nullable    = false
}

variable "log_level" {
  type        = string
  description = "The lowest level of the function's log lines that Lambda keeps."
  default     = "INFO"
  nullable    = false

  validation {
    condition     = contains(["TRACE", "DEBUG", "INFO"], var.log_level)
    error_message = "log_level is TRACE, DEBUG or INFO: above INFO, Lambda would drop audit events and metrics."
  }
}

variable "kms_key_arn" {
  type        = string
  description = "A KMS key that encrypts the logs instead of AWS's own keys. Its policy must allow logs.<region>.amazonaws.com to use it. Empty for AWS's own keys."
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(arn:.+:kms:.+)?$", var.kms_key_arn))
    error_message = "kms_key_arn is empty or the ARN of a KMS key."
  }
}

variable "tracing" {
  type        = string
  description = "With Active, Lambda sends traces to X-Ray."
  default     = "PassThrough"
  nullable    = false

  validation {
    condition     = contains(["Active", "PassThrough"], var.tracing)
    error_message = "tracing is Active or PassThrough."
  }
}

variable "change_rate_limit" {
  type        = number
  description = "The rate limit for changes of all users together, per second."
  default     = 5
  nullable    = false

  validation {
    condition     = var.change_rate_limit >= 1
    error_message = "change_rate_limit is at least 1."
  }
}

variable "change_burst_limit" {
  type        = number
  description = "The burst limit for changes. Keep (burst + rate) × 3 within Cognito's quota of 30."
  default     = 5
  nullable    = false

  validation {
    condition     = var.change_burst_limit >= 1
    error_message = "change_burst_limit is at least 1."
  }
}

variable "reserved_concurrency" {
  type        = number
  description = "The concurrency that is reserved for this function: 300 is enough for the default throttles, and 0 stops the function. Null to share the account's unreserved concurrency."
  default     = null

  validation {
    condition     = var.reserved_concurrency == null || can(regex("^[0-9]+$", var.reserved_concurrency))
    error_message = "reserved_concurrency is null, 0 or a positive whole number."
  }
}

variable "alarm_topic_arn" {
  type        = string
  description = "The SNS topic that alarms notify when they go off and when they recover. Empty for none."
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(arn:.+:sns:.+)?$", var.alarm_topic_arn))
    error_message = "alarm_topic_arn is empty or the ARN of an SNS topic."
  }
}

variable "domain_name" {
  type        = string
  description = "A custom domain name for the API, such as password.example.com. Empty for none."
  default     = ""
  nullable    = false

  validation {
    condition     = var.domain_name == "" || var.certificate_arn != ""
    error_message = "domain_name needs certificate_arn."
  }
}

variable "certificate_arn" {
  type        = string
  description = "The ACM certificate of domain_name, in the same region."
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(arn:.+:acm:.+)?$", var.certificate_arn))
    error_message = "certificate_arn is empty or the ARN of an ACM certificate."
  }
}

variable "hosted_zone_id" {
  type        = string
  description = "The Route 53 hosted zone for the record of domain_name. Empty to create the record yourself."
  default     = ""
  nullable    = false
}

variable "disable_execute_api_endpoint" {
  type        = bool
  description = "Whether the API's own execute-api address is disabled, so that only domain_name works."
  default     = false
  nullable    = false

  validation {
    condition     = !var.disable_execute_api_endpoint || var.domain_name != ""
    error_message = "disable_execute_api_endpoint needs domain_name."
  }
}

variable "origin_secrets" {
  type        = list(string)
  description = "The secret that a proxy in front of the API adds to each request: 32 to 128 letters, digits, - or _. During a rotation, the old and the new secret. The function returns 404 for a request without it. The state contains it. Empty for no proxy."
  default     = []
  nullable    = false
  sensitive   = true

  validation {
    condition     = length(var.origin_secrets) <= 2 && alltrue([for secret in var.origin_secrets : can(regex("^[A-Za-z0-9_-]{32,128}$", secret))])
    error_message = "Each of at most two secrets is 32 to 128 letters, digits, - or _."
  }
}

variable "subnet_ids" {
  type        = list(string)
  description = "Private subnets for the function. Their route to the internet is a NAT gateway with a fixed address. Empty to run outside a VPC."
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for id in var.subnet_ids : can(regex("^subnet-[0-9a-f]+$", id))])
    error_message = "subnet_ids are ids of subnets."
  }

  validation {
    condition     = length(var.subnet_ids) == 0 || length(var.security_group_ids) > 0
    error_message = "subnet_ids needs security_group_ids."
  }
}

variable "security_group_ids" {
  type        = list(string)
  description = "The function's security groups, if subnet_ids is set; outgoing port 443 is enough."
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for id in var.security_group_ids : can(regex("^sg-[0-9a-f]+$", id))])
    error_message = "security_group_ids are ids of security groups."
  }
}

variable "cors_origins" {
  type        = list(string)
  description = "Origins of web apps, such as https://app.example.com. Mobile apps need none, except those that run in a web view."
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for origin in var.cors_origins : can(regex("^https?://[^,/ ]+$", origin))])
    error_message = "Each origin is http:// or https://, a host and perhaps a port."
  }
}
