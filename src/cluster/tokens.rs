//! Asks the cluster whose a bearer token is, by TokenReview.

use crate::cluster::{Client, ClusterError, whole};
use crate::domain::identity::User;
use crate::domain::ports::{Owner, TokenReviewFailed, Tokens};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus};
use kube::Api;
use kube::api::PostParams;
use std::fmt;
use std::pin::Pin;

/// The cluster's authenticator of tokens.
pub struct ClusterTokens {
    api: Api<TokenReview>,
    /// For whom tokens must be meant; the API server's own audience when empty.
    audiences: Vec<String>,
}

impl ClusterTokens {
    /// Asks through `client`; with `audiences`, only about tokens that are meant for one of them.
    #[must_use]
    pub fn new(client: Client, audiences: Vec<String>) -> Self {
        Self { api: Api::all(client), audiences }
    }
}

impl Tokens for ClusterTokens {
    fn owner<'a>(
        &'a self,
        token: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Owner, TokenReviewFailed>> + Send + 'a>> {
        Box::pin(async move {
            let audiences = Some(self.audiences.clone()).filter(|it| !it.is_empty());
            let spec = TokenReviewSpec { audiences, token: token.to_owned() };
            let review = TokenReview { spec, ..Default::default() };
            let answered = self.api.create(&PostParams::default(), &review).await;
            // The client's errors tell what the API server answered, never what it was asked.
            let answered = answered.map_err(|error| TokenReviewFailed(whole(&error).into()))?;
            let status =
                answered.status.ok_or(TokenReviewFailed(Box::new(ClusterError::NoOwner)))?;
            Ok(owner(status, &self.audiences))
        })
    }
}

impl fmt::Debug for ClusterTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterTokens").field("audiences", &self.audiences).finish_non_exhaustive()
    }
}

/// Reads the answer. Whoever asks for audiences has to look whether they are in the answer: an API
/// server that knows nothing of audiences accepts a token that is meant for somebody else.
fn owner(status: TokenReviewStatus, wanted: &[String]) -> Owner {
    let TokenReviewStatus { audiences, authenticated, error, user } = status;
    if authenticated != Some(true) {
        let said = error.filter(|error| !error.is_empty());
        return Err(said.unwrap_or_else(|| "the cluster does not know it".to_owned()));
    }
    let audiences = audiences.unwrap_or_default();
    if !wanted.is_empty() && !wanted.iter().any(|it| audiences.contains(it)) {
        return Err(format!("it is not meant for {}", wanted.join(" or ")));
    }
    let user = user.unwrap_or_default();
    Ok(User {
        name: user.username.unwrap_or_default(),
        uid: user.uid.filter(|uid| !uid.is_empty()),
        groups: user.groups.unwrap_or_default(),
        extra: user.extra.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_token_has_an_owner_only_if_the_cluster_says_so_and_for_the_right_audience() {
        let jane = json!({"username": "jane", "uid": "7", "groups": ["dev"],
            "extra": {"scopes": ["read"]}});
        let cases: [(Value, &[&str], Result<&str, &str>); 8] = [
            (json!({"authenticated": true, "user": jane}), &[], Ok("jane")),
            (json!({"authenticated": true, "user": jane, "audiences": ["api"]}), &[], Ok("jane")),
            (
                json!({"authenticated": true, "user": jane, "audiences": ["a", "foresail"]}),
                &["foresail", "b"],
                Ok("jane"),
            ),
            (
                json!({"authenticated": true, "user": jane, "audiences": ["a"]}),
                &["foresail", "b"],
                Err("it is not meant for foresail or b"),
            ),
            (
                json!({"authenticated": true, "user": jane}),
                &["foresail"],
                Err("it is not meant for foresail"),
            ),
            (json!({"authenticated": false, "error": "expired"}), &[], Err("expired")),
            (json!({"user": jane}), &[], Err("the cluster does not know it")),
            (json!({"authenticated": false}), &[], Err("the cluster does not know it")),
        ];
        for (status, wanted, expected) in cases {
            let shown = status.to_string();
            let status = serde_json::from_value(status).unwrap();
            let wanted: Vec<String> = wanted.iter().map(|it| (*it).to_owned()).collect();
            let found = owner(status, &wanted).map(|user| user.name);
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(found, expected, "{shown}");
        }
    }
}
