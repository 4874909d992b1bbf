//! The media listener: hyper, routes, caching.
