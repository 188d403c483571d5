//! Pages as a vLLM server writes them: its series by name, label and bucket, with made-up values.

use std::fmt::Write;

/// The bounds of a histogram of seconds.
const SECONDS: [&str; 22] = [
    "0.001", "0.005", "0.01", "0.02", "0.04", "0.06", "0.08", "0.1", "0.25", "0.5", "0.75", "1.0",
    "2.5", "5.0", "7.5", "10.0", "20.0", "40.0", "80.0", "160.0", "640.0", "2560.0",
];
const GAUGES: [&str; 3] = ["num_requests_running", "num_requests_waiting", "kv_cache_usage_perc"];
const COUNTERS: [&str; 5] = [
    "prompt_tokens_total",
    "generation_tokens_total",
    "num_preemptions_total",
    "prefix_cache_queries_total",
    "prefix_cache_hits_total",
];
const HISTOGRAMS: [&str; 7] = [
    "time_to_first_token_seconds",
    "inter_token_latency_seconds",
    "e2e_request_latency_seconds",
    "request_queue_time_seconds",
    "request_prefill_time_seconds",
    "request_decode_time_seconds",
    "request_inference_time_seconds",
];

/// A page of at least `bytes`, with as many engines as it takes, of a server that has answered so
/// many rounds of requests.
pub(crate) fn page(bytes: usize, rounds: u32) -> String {
    let mut page = String::with_capacity(bytes + 64 * 1024);
    let mut engine = 0_u32;
    while page.len() < bytes {
        write_engine(&mut page, engine, rounds);
        engine += 1;
    }
    page
}

fn write_engine(page: &mut String, engine: u32, rounds: u32) {
    let labels = format!("engine=\"{engine}\",model_name=\"meta-llama/Llama-3.1-8B-Instruct\"");
    for name in GAUGES {
        writeln!(page, "# HELP vllm:{name} What the server does now.").unwrap();
        writeln!(page, "# TYPE vllm:{name} gauge").unwrap();
        writeln!(page, "vllm:{name}{{{labels}}} {}.0", engine % 40).unwrap();
    }
    for name in COUNTERS {
        writeln!(page, "# HELP vllm:{name} What it did so far.").unwrap();
        writeln!(page, "# TYPE vllm:{name} counter").unwrap();
        let value = 18_453_210 + 1_000 * (rounds + 1);
        writeln!(page, "vllm:{name}{{{labels}}} {value}.0").unwrap();
    }
    for name in HISTOGRAMS {
        writeln!(page, "# HELP vllm:{name} How long it took.").unwrap();
        writeln!(page, "# TYPE vllm:{name} histogram").unwrap();
        for (idx, bound) in SECONDS.iter().enumerate() {
            let value = (u32::try_from(idx).unwrap() + 1) * (3_187 + rounds);
            writeln!(page, "vllm:{name}_bucket{{le=\"{bound}\",{labels}}} {value}.0").unwrap();
        }
        let all = 25 * (3_187 + rounds);
        writeln!(page, "vllm:{name}_bucket{{le=\"+Inf\",{labels}}} {all}.0").unwrap();
        writeln!(page, "vllm:{name}_count{{{labels}}} {all}.0").unwrap();
        writeln!(page, "vllm:{name}_sum{{{labels}}} 19876.25").unwrap();
    }
}
