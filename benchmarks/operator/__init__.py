"""What the operator costs on a real API server, beside kopf doing the same work in the same run, and alone.

`python -m benchmarks.operator` starts a control plane on loopback (`tools/testcluster`), measures part by part, keeps
the raw runs in `benchmarks/results/operator.json` and writes `docs/reference/operator-benchmarks.md` from them.
"""
