"""Google Cloud, looked at before anything is sent there: machines, prices, permissions, checks."""
