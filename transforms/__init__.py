"""The steps, in data order: decode, score, sessionize, changes, aggregate, release, ledger."""
