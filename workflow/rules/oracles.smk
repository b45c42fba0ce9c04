# Estimators are checked against exact answers before anything is trained with them.


rule oracles:
    input:
        ancient("results/{scale}/data.json"),
    output:
        "results/{scale}/oracles.json",
    log:
        "results/{scale}/logs/oracles.log",
    params:
        source=sources.digest(
            ["reparam.measure.oracle_checks", *sources.registered_modules("estimators")]
        ),
    threads: 1
    conda:
        "../../environment.yml"
    shell:
        "exec python -m reparam.cli oracles --output {output} >{log} 2>&1"
