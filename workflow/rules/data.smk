rule data:
    output:
        "results/{scale}/data/{name}.json",
    log:
        "results/{scale}/logs/data/{name}.log",
    conda:
        "../../environment.yml"
    params:
        source=sources.digest(["reparam.data.store"]),
    shell:
        "exec python -m reparam.cli data {wildcards.name} --output {output} >{log} 2>&1"
