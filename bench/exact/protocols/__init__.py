"""Judges of the protocols that Darkroom speaks: HTTP, WebSocket, AsyncAPI, webhooks, traces."""
