# An estimator is checked against exact answers before anything is trained with it.


rule oracles:
    output:
        "results/{scale}/oracles/{name}.json",
    log:
        "results/{scale}/logs/oracles/{name}.log",
    conda:
        "../../environment.yml"
    threads: 1
    params:
        source=lambda wildcards: sources.oracle_digest(wildcards.name),
    shell:
        "exec python -m reparam.cli oracles {wildcards.name} --output {output} >{log} 2>&1"
