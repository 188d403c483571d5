//! To which addresses connections may be made.
//!
//! A host's name is checked where a policy is settled, as far as it is written down there. What
//! only shows later is checked here: names out of credentials and from the answers of servers, and
//! the addresses that names lead to.

use super::Failed;
use crate::policy::queue::Address;
use crate::policy::queue::reach::{NotAllowed, Reach};
use crate::source::ReadError;
use crate::source::http::innermost;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// The addresses of a server that may be asked.
pub(super) async fn addresses(reach: &Reach, address: &Address) -> Result<Vec<SocketAddr>, Failed> {
    permitted(reach, &address.host)?;
    let found = tokio::net::lookup_host((&*address.host, address.port)).await;
    let found: Vec<SocketAddr> = found
        .map_err(|error| Failed::Connection(ReadError::Unreachable(innermost(&error))))?
        .collect();
    // One of them that may not be asked is no accident.
    for it in &found {
        permitted_at(reach, &address.host, it.ip())?;
    }
    Ok(found)
}

/// The first of them, as text: for clients that would look the name up again.
pub(super) async fn address(reach: &Reach, address: &Address) -> Result<Address, Failed> {
    if *reach == Reach::Anywhere {
        return Ok(address.clone());
    }
    let found = addresses(reach, address).await?;
    let first = found.first().ok_or_else(|| {
        Failed::Connection(ReadError::Unreachable("the name leads nowhere".to_owned()))
    })?;
    Ok(Address { host: first.ip().to_string().into(), port: address.port })
}

/// Whether a host may be asked, by its name.
pub(super) fn permitted(reach: &Reach, host: &str) -> Result<(), Failed> {
    reach.permits(host).map_err(|it| refused(&it))
}

/// Whether a host may be at this address.
pub(super) fn permitted_at(reach: &Reach, host: &str, address: IpAddr) -> Result<(), Failed> {
    reach.permits_at(host, address).map_err(|it| refused(&it))
}

fn refused(problem: &NotAllowed) -> Failed {
    Failed::Answer(ReadError::NotAllowed(format!("{problem}: {}", problem.hint())))
}

/// Looks names up for an HTTP client, each time that it connects.
#[derive(Debug)]
pub(in crate::source) struct Resolver(Reach);

impl Resolver {
    /// One for servers that may be in this reach; `None` where there is nothing to look after.
    pub(super) fn within(reach: &Reach) -> Option<Arc<Self>> {
        (*reach != Reach::Anywhere).then(|| Arc::new(Self(reach.clone())))
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0.clone();
        Box::pin(async move {
            let host = name.as_str();
            reach.permits(host).map_err(|it| it.to_string())?;
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host, 0)).await?.collect();
            for it in &found {
                reach.permits_at(host, it.ip()).map_err(|it| it.to_string())?;
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests;
