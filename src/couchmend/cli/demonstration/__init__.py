"""`couchmend demo`: three devices that edit offline, and what becomes of it."""
