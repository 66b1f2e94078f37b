//! Cost of signing and verifying, beside a plain SHA-256 of the same bytes in the same run: the ratio says more than
//! the time, which depends on the machine.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hookdrill::stripe::signature::{Tolerance, header, sign, verify};
use sha2::{Digest, Sha256};
use std::hint::black_box;

const SECRET: &str = "whsec_bench_0123456789abcdef0123456789abcdef";
const NOW: i64 = 1_768_471_200;

fn body(bytes: usize) -> Vec<u8> {
    let mut text = br#"{"id":"evt_1","object":"event","data":{"object":{"description":""#.to_vec();
    text.resize(bytes - 4, b'x');
    text.extend_from_slice(b"\"}}}");
    text
}

fn signatures(c: &mut Criterion) {
    let mut group = c.benchmark_group("signature");
    for kilobytes in [1, 5, 50] {
        let body = body(kilobytes * 1024);
        let signed = header(NOW, &[sign(SECRET, NOW, &body)]);
        let id = |what: &str| BenchmarkId::new(what, format!("{kilobytes}kB"));
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(id("sha256"), |b| b.iter(|| Sha256::digest(black_box(&body))));
        group.bench_function(id("sign"), |b| b.iter(|| sign(SECRET, NOW, black_box(&body))));
        group.bench_function(id("verify"), |b| {
            b.iter(|| verify(Some(&signed), black_box(&body), &[SECRET], Tolerance::DEFAULT, NOW))
        });
    }
    group.finish();
}

criterion_group!(benches, signatures);
criterion_main!(benches);
