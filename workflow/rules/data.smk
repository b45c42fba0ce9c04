rule data:
    output:
        "results/{scale}/data.json",
    log:
        "results/{scale}/logs/data.log",
    conda:
        "../../environment.yml"
    params:
        names=" ".join(DATA_SETS),
        source=sources.digest(["reparam.data.store"]),
    shell:
        "exec python -m reparam.cli data {params.names} --output {output} >{log} 2>&1"
