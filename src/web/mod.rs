//! HTTP: health, metrics, calls, the page a browser rings from.
