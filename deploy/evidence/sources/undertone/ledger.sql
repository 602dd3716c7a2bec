-- What became of the records.
SELECT run, account, reason, records FROM ${dataset}.ledger_latest
