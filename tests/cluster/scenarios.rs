//! What must be seen to work with a real control plane, one file for each promise.

mod api_is_served;
mod broken_policies;
mod clients_read;
mod coexistence;
mod door;
mod gpus_scale;
mod hpa_agrees;
mod hpa_scales;
mod lead_time;
mod lifecycle;
mod live_proof;
mod numbers;
mod pods_are_read;
mod policy_objects;
mod prometheus_outage;
mod replicas_agree;
mod rules_are_served;
mod servers_compared;
