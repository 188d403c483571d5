//! The profiles that are compiled in.

use super::Profile;
use std::sync::{Arc, LazyLock};

/// The files of `profiles/`, by name.
pub(super) const FILES: [(&str, &str); 18] = [
    ("amd-gpu", include_str!("../../../profiles/amd-gpu.yaml")),
    ("dcgm", include_str!("../../../profiles/dcgm.yaml")),
    ("dynamo", include_str!("../../../profiles/dynamo.yaml")),
    ("envoy-ai-gateway", include_str!("../../../profiles/envoy-ai-gateway.yaml")),
    ("epp", include_str!("../../../profiles/epp.yaml")),
    ("intel-gpu", include_str!("../../../profiles/intel-gpu.yaml")),
    ("knative", include_str!("../../../profiles/knative.yaml")),
    ("litellm", include_str!("../../../profiles/litellm.yaml")),
    ("llamacpp", include_str!("../../../profiles/llamacpp.yaml")),
    ("ray-serve", include_str!("../../../profiles/ray-serve.yaml")),
    ("sglang", include_str!("../../../profiles/sglang.yaml")),
    ("tgi", include_str!("../../../profiles/tgi.yaml")),
    ("torchserve", include_str!("../../../profiles/torchserve.yaml")),
    ("triton", include_str!("../../../profiles/triton.yaml")),
    ("triton-trtllm", include_str!("../../../profiles/triton-trtllm.yaml")),
    ("trtllm-serve", include_str!("../../../profiles/trtllm-serve.yaml")),
    ("vllm", include_str!("../../../profiles/vllm.yaml")),
    ("vllm-router", include_str!("../../../profiles/vllm-router.yaml")),
];

static PROFILES: LazyLock<Vec<Arc<Profile>>> = LazyLock::new(|| {
    // A test reads each of them, so none is left out here.
    let read = FILES.iter().filter_map(|(_, text)| Profile::parse(text).ok());
    read.map(Arc::new).collect()
});

/// All that are compiled in.
pub(super) fn profiles() -> &'static [Arc<Profile>] {
    &PROFILES
}
