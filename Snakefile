# The whole suite:  snakemake --cores all
# Other scales:     snakemake --cores all --configfile config/smoke.yaml     (quick, standard, paper)
# A choice of runs: snakemake --cores all --config seeds=10 papers=kingma2014 estimators=pathwise,score_function


configfile: "config/quick.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/oracles.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evidence.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/wandb.smk"


rule all:
    default_target: True
    input:
        f"results/{SCALE}/jobs/judged",
        f"reports/{SCALE}/index.html",
        f"results/{SCALE}/wandb/export.json",


onsuccess:
    print(
        f"Report: reports/{SCALE}/index.html; verdicts: reparam scoreboard --made --scale {SCALE}",
        file=sys.stderr,
    )


# The report rule waits for all cells. When one failed, show what there is and what is missing.
onerror:
    render_partial_report()
