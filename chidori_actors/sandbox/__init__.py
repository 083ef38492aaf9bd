"""Untrusted code: JavaScript, Python and WebAssembly in processes of their own, which see nothing of this machine."""
