"""Scripts that run with the packages of `bench/locks/protocols.lock`, apart from Darkroom's."""
