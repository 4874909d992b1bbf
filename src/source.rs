//! Sources: one abstraction over whatever GStreamer opens, delivered on the grid.
