# Estimators are checked against exact answers before anything is trained with them, several in one process. A job checks
# those whose code has changed since; as with cells, the findings are not declared as outputs.


rule oracles:
    output:
        touch("results/{scale}/oracles/done/{pack}"),
    log:
        "results/{scale}/logs/oracles/{pack}.log",
    conda:
        "../../environment.yml"
    threads: 1
    params:
        names=lambda wildcards: " ".join(CHECKS[wildcards.pack]),
        sources=lambda wildcards: " ".join(
            sources.oracle_digest(name) for name in CHECKS[wildcards.pack]
        ),
    shell:
        "exec python -m reparam.cli oracles {params.names}"
        " --folder results/{wildcards.scale}/oracles >{log} 2>&1"
