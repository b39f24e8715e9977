//! CORS, like API Gateway with the template's settings if any origin is allowed.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    HeaderValue, ORIGIN,
};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Response, StatusCode};

const ALLOW_METHODS: &str = "GET, HEAD, POST";
const ALLOW_HEADERS: &str = "authorization, content-type, if-none-match";
const EXPOSE_HEADERS: &str = "etag, retry-after, www-authenticate";
const MAX_AGE: &str = "3600";

/// Returns the response to a preflight request, which the function never receives; `None` for other
/// requests.
pub(crate) fn preflight(head: &Parts) -> Option<Response<Full<Bytes>>> {
    let asks = |name| head.headers.contains_key(name);
    if head.method != Method::OPTIONS || !asks(ORIGIN) || !asks(ACCESS_CONTROL_REQUEST_METHOD) {
        return None;
    }
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().extend([
        (ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
        (ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(ALLOW_METHODS)),
        (ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(ALLOW_HEADERS)),
        (ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE)),
    ]);
    Some(response)
}

/// Allows pages of other origins to read a response.
pub(crate) fn allow(head: &Parts, response: &mut HeaderMap) {
    if head.headers.contains_key(ORIGIN) {
        response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        response.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSE_HEADERS));
    }
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn head(method: &str, headers: &[(&str, &str)]) -> Parts {
        let request = Request::builder().method(method);
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn the_settings_equal_the_templates() {
        let template = include_str!("../../../../../template.yaml");
        for setting in [
            format!("AllowMethods: [{ALLOW_METHODS}]"),
            format!("AllowHeaders: [{ALLOW_HEADERS}]"),
            format!("ExposeHeaders: [{EXPOSE_HEADERS}]"),
            format!("MaxAge: {MAX_AGE}"),
        ] {
            assert!(template.contains(&setting), "template.yaml does not have {setting}");
        }
    }

    #[test]
    fn only_a_preflight_request_gets_a_preflight_response() {
        let (origin, method) = (("origin", "http://a"), ("access-control-request-method", "POST"));
        let response = preflight(&head("OPTIONS", &[origin, method])).unwrap();
        assert_eq!(response.status(), 204);
        assert_eq!(response.headers()["access-control-allow-origin"], "*");
        for other in [
            head("OPTIONS", &[origin]),
            head("OPTIONS", &[method]),
            head("POST", &[origin, method]),
        ] {
            assert!(preflight(&other).is_none(), "{other:?}");
        }
    }

    #[test]
    fn a_response_allows_other_origins_only_if_the_request_has_an_origin() {
        let mut headers = HeaderMap::new();
        allow(&head("GET", &[]), &mut headers);
        assert!(headers.is_empty());
        allow(&head("GET", &[("origin", "http://a")]), &mut headers);
        assert_eq!(headers["access-control-allow-origin"], "*");
    }
}
