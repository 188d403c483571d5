//! Several documents in one text, and several objects in one document.

use super::Node;
use crate::domain::limits;

/// Each document on its own lines of the text, so that faults are told with the lines of the file.
#[must_use]
pub fn all(text: &str) -> Vec<String> {
    let mut documents = vec![String::new()];
    let mut blank = String::new();
    for line in text.lines() {
        let is_mark = line == "---" || line.starts_with("--- ");
        blank.push('\n');
        if is_mark && documents.len() < limits::POLICIES_MAX {
            documents.push(blank.clone());
        } else if let Some(document) = documents.last_mut() {
            document.push_str(line);
            document.push('\n');
        }
    }
    documents
}

/// The objects of a `List`, which `kubectl get -o yaml` answers.
#[must_use]
pub fn items(node: &Node) -> &[Node] {
    let is_list = node.get("kind").and_then(Node::text).is_some_and(|it| it.ends_with("List"));
    node.get("items").filter(|_| is_list).map(Node::elements).unwrap_or_default()
}
