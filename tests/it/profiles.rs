//! The profiles that are compiled in are the files of `profiles/`.

use crate::support::adapter::repository;
use foresail::policy::profile::Profiles;
use std::fs;

#[test]
fn the_files_in_the_folder_are_the_ones_that_are_compiled_in() {
    let files = fs::read_dir(repository("profiles")).unwrap();
    let files = files.map(|it| it.unwrap().file_name().into_string().unwrap());
    let mut files: Vec<String> = files.filter(|it| it.ends_with(".yaml")).collect();
    files.sort();
    let compiled = Profiles::builtin();
    let mut compiled: Vec<String> =
        compiled.iter().map(|it| format!("{}.yaml", it.engine)).collect();
    compiled.sort();
    assert_eq!(files, compiled);
}
