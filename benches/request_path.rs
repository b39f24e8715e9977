//! The parts of an ordinary password change, except for Cognito, each measured separately.

use std::hint::black_box;
use std::time::SystemTime;

use change_password::change_password::Changed;
use change_password::config;
use change_password::envelope::Envelope;
use change_password::error::Error;
use change_password::language::Language;
use change_password::policy::{PersonalAttribute, PersonalWords};
use change_password::request::{self, ChangePasswordBody};
use change_password::response;
use change_password::token::{Expected, UnverifiedToken};
use criterion::{Criterion, criterion_group, criterion_main};

fn request_path(criterion: &mut Criterion) {
    let payload = include_str!("../events/http-api.json");
    let envelope = Envelope::read(payload);
    let headers = &envelope.headers;
    let body = envelope.body.open().expect("the sample's body is text");
    let expected = Expected {
        issuer: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_LocalDev0".into(),
        client_ids: vec!["4localdevclient0000000000".into()],
    };
    let token = request::bearer_token(headers).expect("the sample has a token");
    let policy = config::read_policy(|_| None).expect("the built-in policy is sound");
    let words = || PersonalWords::new([(PersonalAttribute::UserName, "demo")]);
    let ChangePasswordBody { previous, proposed, .. } =
        ChangePasswordBody::parse(&body).expect("the sample's body is sound");

    let mut group = criterion.benchmark_group("request path");
    group.bench_function("request", |bencher| {
        bencher.iter(|| {
            let envelope = Envelope::read(black_box(payload));
            request::require_json(&envelope.headers)?;
            ChangePasswordBody::parse(&envelope.body.open()?)
        });
    });
    group.bench_function("token, except for its signature", |bencher| {
        let now = SystemTime::now();
        bencher.iter(|| UnverifiedToken::parse(black_box(&token), &expected, now));
    });
    group.bench_function("policy", |bencher| {
        bencher
            .iter(|| policy.base().violations(black_box(&proposed), previous.as_ref(), &words()));
    });
    group.bench_function("response", |bencher| {
        bencher.iter(|| response::changed(black_box(&Changed { signed_out_everywhere: None })));
    });
    group.bench_function("response, problem", |bencher| {
        bencher
            .iter(|| response::problem(black_box(&Error::MissingToken), "8476a536", Language::En));
    });
    group.finish();
}

criterion_group!(benches, request_path);
criterion_main!(benches);
