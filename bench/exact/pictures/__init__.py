"""The files that decoders are asked about, made here: formats, modes, depths, orientations."""
