# `judged` says that the tables hold all that was asked for. Tables alone do not: a failed run leaves partial ones,
# so does `reparam evidence`, and Snakemake makes no missing input of a file that is there.


rule evidence:
    input:
        [f"results/{SCALE}/jobs/{job}.json" for job in PACKS],
        [f"results/{SCALE}/oracles/done/{pack}" for pack in CHECKS],
    output:
        expand(
            "results/{{scale}}/tables/{table}.parquet",
            table=[
                "cells",
                "metrics",
                "comparisons",
                "choices",
                "leftover",
                "oracles",
            ],
        ),
        report(
            expand(
                "results/{{scale}}/tables/{table}.csv", table=["claims", "coverage"]
            ),
            caption="../captions/table.rst",
            category="Evidence",
        ),
        touch("results/{scale}/jobs/judged"),
    log:
        "results/{scale}/logs/evidence.log",
    conda:
        "../../environment.yml"
    params:
        source=sources.digest(
            ["reparam.evidence.build"],
            files_of_papers(
                "*/experiments.yaml", "*/claims.yaml", "../evidence/schemas/*.json"
            ),
        ),
    shell:
        "exec python -m reparam.cli evidence --scale {wildcards.scale} >{log} 2>&1"
