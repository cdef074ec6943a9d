"""Read tables: what people look at. Disposable, rebuilt from the log; nothing is ever decided from them."""
