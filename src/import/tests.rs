//! Names made from the names of others.

use super::*;

#[test]
fn names_are_made_of_what_names_may_have() {
    for (text, object, metric) in [
        ("llama", "llama", "llama"),
        ("Orders.v2/eu", "orders-v2-eu", "orders_v2_eu"),
        ("--a__b--", "a-b", "a_b"),
    ] {
        assert_eq!((object_name(text).as_str(), metric_name(text).as_str()), (object, metric));
    }
    assert_eq!(object_name(&"x".repeat(80)).len(), 63);
}
