"""Operations, judged by mathematics: each result is computed again from the definitions."""
