# Estimators are checked against exact answers before anything is trained with them.


rule oracles:
    input:
        ancient("results/{scale}/data.json"),
    output:
        "results/{scale}/oracles.json",
    log:
        "results/{scale}/logs/oracles.log",
    conda:
        "../../environment.yml"
    threads: 1
    params:
        source=sources.digest(
            [
                "reparam.measure.oracle_checks",
                *sources.registered_modules("estimators"),
            ]
        ),
    shell:
        "exec python -m reparam.cli oracles --output {output} >{log} 2>&1"
