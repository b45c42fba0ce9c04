"""Tucker et al. 2017: REBAR."""
