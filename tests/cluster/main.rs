//! The cluster test: a real control plane, a real Prometheus, the real HPA controller.
