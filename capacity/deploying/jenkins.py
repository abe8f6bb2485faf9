"""A declarative pipeline of Jenkins: checks on schedule, a load test when asked for."""

from __future__ import annotations

from capacity.deploying.order import Files, Order, filled
from capacity.deploying.schedules import cron_of

_PIPELINE = """\
// Checks @NAME@ on schedule; with LOAD_TEST its limit too.
// Plugins: Pipeline, JUnit, HTML Publisher, Credentials Binding.
pipeline {
    agent any
    options {
        disableConcurrentBuilds()
        timeout(time: 45, unit: 'MINUTES')
    }
    triggers {
        cron('''@SCHEDULE@''')
    }
    parameters {
        booleanParam(name: 'LOAD_TEST', defaultValue: false, description: 'Find the limit, and compare it')
    }
@ENV@
    stages {
        stage('Install') {
            steps {
                sh 'python3 -m venv venv'
                sh 'venv/bin/python -m pip install wheels/redline-@VERSION@-py3-none-any.whl'
            }
        }
        stage('Check') {
            steps {
                sh 'venv/bin/redline check @NAME@ --config redline.toml --junit checks.xml'
            }
        }
        stage('Load test') {
            when { expression { params.LOAD_TEST } }
            steps {
                sh 'rm -rf run compared'
                sh 'venv/bin/redline limit @NAME@ --config redline.toml --yes --quiet --out run'
                sh 'venv/bin/redline compare baseline.json run --max-drop 10% --out compared'
            }
            post {
                always {
                    junit 'run/junit.xml'
                    archiveArtifacts artifacts: 'run/**, compared/**', allowEmptyArchive: true
                    publishHTML(target: [reportDir: 'run', reportFiles: 'report.html', reportName: 'redline',
                                         allowMissing: true, alwaysLinkToLastBuild: true, keepAll: true])
                }
            }
        }
    }
    post {
        always {
            junit 'checks.xml'
        }
    }
}
"""


def jenkins_files(order: Order) -> Files:
    """A Jenkinsfile that takes each secret from a credential of the variable's name."""
    cron = order.cron
    schedule = cron_of(order.every_s) if cron is None else f"TZ={cron.zone}\n{cron.expression}"
    lines = "\n".join(f"        {name} = credentials('{name}')" for name in order.variables)
    env = f"    environment {{\n{lines}\n    }}" if lines else ""
    text = filled(_PIPELINE, name=order.name, schedule=schedule, version=order.version, env=env)
    notes = tuple(f"add a `Secret text` credential with the id {name}" for name in order.variables)
    return Files({"Jenkinsfile": text}, notes)
