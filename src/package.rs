//! `headwater package`: a file becomes an on-demand presentation.
