//! How fast a scenario is compiled: deliveries a second for 1, 100 and 1000 customers who buy, with every event twice,
//! shuffled, and one forged.
#![allow(missing_docs, reason = "criterion's macros make public items")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hookdrill::{
    plan::compile::compile,
    scenario::{load::parse, model::Scenario},
    stripe::{
        event::Event,
        recording::{RecordedEvent, Recording},
    },
    time::Timestamp,
};
use std::{hint::black_box, path::Path, sync::Arc};

/// A recording of the size of a real Checkout: 13 events of about 4 kilobytes.
fn recording() -> Recording {
    let filler: Vec<String> = (0..100).map(|n| format!(r#""field_{n}":"a value of some length, {n}""#)).collect();
    let event = |n: usize| {
        let body = format!(
            r#"{{"id":"evt_1Bench{n:0>18}","object":"event","created":{},"type":"invoice.kind_{n}","data":{{"object":{{"id":"in_1Bench{n:0>18}","customer":"cus_TaBenchmark{n:0>3}",{}}}}}}}"#,
            1_768_471_200 + n,
            filler.join(","),
        );
        RecordedEvent { file: format!("{n:02}.json"), event: Event::parse(&body).expect("an event") }
    };
    Recording { name: "bench".to_owned(), events: (0..13).map(event).collect(), story: None }
}

fn scenario(instances: u32) -> Scenario {
    let text = format!(
        r#"
version = 1
name = "bench"
about = "For measuring."
[[story]]
name = "purchase"
recording = "bench"
instances = {instances}
[[fault]]
reorder = {{ shuffle = 5 }}
[[fault]]
duplicate = {{ of = "*", copies = 2 }}
[[fault]]
forged = {{ of = "invoice.kind_1", signature = "garbage" }}
[[criterion]]
events_lost = {{ exactly = 0 }}
"#
    );
    let recording = Arc::new(recording());
    parse(&text, Path::new("bench.toml"), &mut |_| Ok(Arc::clone(&recording))).expect("a good scenario")
}

fn plans(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("plan");
    group.sample_size(10);
    for instances in [1, 100, 1000] {
        let scenario = scenario(instances);
        let epoch = Timestamp::from_secs(1_780_315_200);
        let deliveries = compile(&scenario, 7, epoch).expect("compiles").deliveries.len();
        group.throughput(Throughput::Elements(deliveries as u64));
        group.bench_with_input(BenchmarkId::new("instances", instances), &scenario, |bench, scenario| {
            bench.iter(|| compile(black_box(scenario), 7, epoch).expect("compiles"));
        });
    }
    group.finish();
}

criterion_group!(benches, plans);
criterion_main!(benches);
