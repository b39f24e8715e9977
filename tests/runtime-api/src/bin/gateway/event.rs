//! Conversions: an HTTP request to an event of an HTTP API (payload version 2.0), and the function's
//! response to an HTTP response.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{HOST, USER_AGENT};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Response};
use serde::Deserialize;
use serde_json::json;

/// The function's response to an HTTP API.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

/// Converts a request to an event. A body that is not UTF-8 is encoded as base64.
///
/// Members that the function does not read are left out, such as the decoded query.
pub(crate) fn from_request(head: &Parts, body: &[u8], client: IpAddr) -> String {
    let text = std::str::from_utf8(body);
    let headers = joined(&head.headers);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": head.uri.path(),
        "rawQueryString": head.uri.query().unwrap_or_default(),
        "requestContext": {
            "apiId": "local",
            "domainName": headers.get(HOST.as_str()),
            "http": {
                "method": head.method.as_str(),
                "path": head.uri.path(),
                "protocol": format!("{:?}", head.version),
                "sourceIp": client,
                "userAgent": headers.get(USER_AGENT.as_str()),
            },
            "routeKey": "$default",
            "stage": "$default",
            "timeEpoch": u64::try_from(now.as_millis()).ok(),
        },
        "headers": headers,
        "body": text.map_or_else(|_| STANDARD.encode(body), str::to_owned),
        "isBase64Encoded": text.is_err(),
    });
    event.to_string()
}

/// Joins the values of each header by commas. hyper's header names are in lower case.
fn joined(headers: &HeaderMap) -> BTreeMap<&str, String> {
    let mut joined = BTreeMap::<_, String>::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        joined
            .entry(name.as_str())
            .and_modify(|values| {
                values.push(',');
                values.push_str(&value);
            })
            .or_insert_with(|| value.to_string());
    }
    joined
}

/// Converts the function's response to an HTTP response; `None` if it is invalid.
pub(crate) fn to_response(answer: &[u8]) -> Option<Response<Full<Bytes>>> {
    let Answer { status_code, headers, body, is_base64_encoded } =
        serde_json::from_slice(answer).ok()?;
    let body = body.unwrap_or_default();
    let body = if is_base64_encoded { STANDARD.decode(body).ok()? } else { body.into_bytes() };
    let mut response = Response::builder().status(status_code);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(body.into()).ok()
}

/// The response of an HTTP API if the function fails or returns an invalid response.
pub(crate) fn internal_server_error() -> Response<Full<Bytes>> {
    let answer = json!({
        "statusCode": 500,
        "headers": { "content-type": "application/json" },
        "body": r#"{"message":"Internal Server Error"}"#,
    });
    to_response(answer.to_string().as_bytes()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use hyper::Request;
    use serde_json::Value;

    use super::*;

    fn event(request: Request<&[u8]>) -> Value {
        let (head, body) = request.into_parts();
        serde_json::from_str(&from_request(&head, body, [192, 0, 2, 1].into())).unwrap()
    }

    #[test]
    fn an_event_contains_the_method_path_query_headers_client_and_text() {
        let request = Request::post("/change-password?a=%20b&a=c")
            .header("User-Agent", "curl/8")
            .header("Accept", "a/b")
            .header("accept", "c/d, e/f")
            .body("{\"é\": 1}".as_bytes())
            .unwrap();
        let event = event(request);
        assert_eq!(event["version"], "2.0");
        assert_eq!(event["rawPath"], "/change-password");
        assert_eq!(event["rawQueryString"], "a=%20b&a=c");
        let headers = json!({ "accept": "a/b,c/d, e/f", "user-agent": "curl/8" });
        assert_eq!(event["headers"], headers);
        let http = json!({
            "method": "POST",
            "path": "/change-password",
            "protocol": "HTTP/1.1",
            "sourceIp": "192.0.2.1",
            "userAgent": "curl/8",
        });
        assert_eq!(event["requestContext"]["http"], http);
        assert_eq!(event["body"], "{\"é\": 1}");
        assert_eq!(event["isBase64Encoded"], false);
    }

    #[test]
    fn a_body_that_is_not_utf_8_becomes_base64() {
        let event = event(Request::new(b"\xff\x00a"));
        assert_eq!(event["body"], "/wBh");
        assert_eq!(event["isBase64Encoded"], true);
    }

    #[tokio::test]
    async fn a_function_response_is_converted_to_a_status_headers_and_a_body() {
        for (body, is_base64, expected) in
            [("ok", false, &b"ok"[..]), ("/wBh", true, &b"\xff\x00a"[..])]
        {
            let answer = json!({
                "statusCode": 201,
                "headers": { "etag": "\"1\"" },
                "cookies": [],
                "body": body,
                "isBase64Encoded": is_base64,
            });
            let response = to_response(answer.to_string().as_bytes()).unwrap();
            assert_eq!(response.status(), 201);
            assert_eq!(response.headers()["etag"], "\"1\"");
            assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), expected);
        }
    }

    #[test]
    fn a_function_response_without_a_status_or_with_invalid_parts_is_rejected() {
        for answer in [
            "",
            "null",
            r#"{ "errorMessage": "a panic" }"#,
            r#"{ "statusCode": 99 }"#,
            r#"{ "statusCode": 200, "headers": { "etag": "\n" } }"#,
            r#"{ "statusCode": 200, "body": "?", "isBase64Encoded": true }"#,
        ] {
            assert!(to_response(answer.as_bytes()).is_none(), "{answer}");
        }
        assert_eq!(internal_server_error().status(), 500);
    }
}
