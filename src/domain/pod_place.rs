//! Where a pod can be reached.

use crate::domain::name::ObjectName;
use core::net::IpAddr;
use std::sync::Arc;

/// A pod and where it listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodPlace {
    /// Its name.
    pub name: ObjectName,
    /// Its uid: a pod of the same name that comes after it has another.
    pub uid: Arc<str>,
    /// Its address, once it has one.
    pub address: Option<IpAddr>,
    /// The ports that its containers name.
    pub ports: Arc<[(Box<str>, u16)]>,
    /// Whether it is ready.
    pub is_ready: bool,
    /// Whether it has ended or is about to.
    pub is_leaving: bool,
    /// What its label says that it runs, where it has one of `ENGINE_LABELS`.
    pub engine: Option<Box<str>>,
}

/// Labels that name the inference engine of a pod, the first that is there counts: that of llm-d,
/// and that of the Gateway API Inference Extension.
pub const ENGINE_LABELS: [&str; 2] =
    ["llm-d.ai/engine-type", "inference.networking.k8s.io/engine-type"];
