"""GIF beyond Pillow: frames without a decoded pixel, and transparent animations."""
