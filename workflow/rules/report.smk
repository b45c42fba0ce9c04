rule report:
    input:
        "results/{scale}/tables/metrics.parquet",
        "results/{scale}/tables/claims.csv",
        "results/{scale}/tables/oracles.parquet",
    output:
        report(
            "reports/{scale}/index.html",
            caption="../captions/report.rst",
            category="Report",
        ),
    log:
        "results/{scale}/logs/report.log",
    conda:
        "../../environment.yml"
    threads: workflow.cores
    params:
        source=sources.digest(
            [
                "reparam.report.build",
                *sources.figure_modules(),
                *sources.estimator_modules(),
            ],
            files_of_papers("*/README.md", "../report/templates/*"),
        ),
    shell:
        "exec python -m reparam.cli report --scale {wildcards.scale} --processes {threads} >{log} 2>&1"
