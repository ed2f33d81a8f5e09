//! Tasks over published data sets, read from a folder in their original formats.

mod files;
