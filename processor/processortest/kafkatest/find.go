package kafkatest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"tocsin/processor/processortest/program"
)

// Version is that of the broker. The pom beside the fetching script names the same.
const Version = "4.3.1"

// JarsEnv names the environment variable that says where Kafka's jars are.
const JarsEnv = "TOCSIN_KAFKA_JARS"

// FindJars returns the folder of Kafka's jars: dir if given, else the one that TOCSIN_KAFKA_JARS names, else the
// checkout's .cache/kafka-<version>, looked for from the working folder upwards. The error says how to get them.
func FindJars(dir string) (string, error) {
	if dir == "" {
		dir = os.Getenv(JarsEnv)
	}
	if dir == "" {
		root, err := program.Root()
		if err != nil {
			return "", fmt.Errorf("%w, or name the folder of Kafka's jars in %s", err, JarsEnv)
		}
		dir = filepath.Join(root, ".cache", "kafka-"+Version)
	}
	if found, err := filepath.Glob(filepath.Join(dir, "kafka_*.jar")); err != nil || len(found) == 0 {
		return "", fmt.Errorf("no jars of Apache Kafka in %s: run `make setup`, or name their folder in %s", dir, JarsEnv)
	}
	return filepath.Abs(dir)
}

func findJava(path string) (string, error) {
	if path != "" {
		return path, nil
	}
	if home := os.Getenv("JAVA_HOME"); home != "" {
		path = filepath.Join(home, "bin", "java")
		if _, err := exec.LookPath(path); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath("java")
	if err != nil {
		return "", fmt.Errorf("the real Kafka needs Java 17 or newer: run `make setup` (%w)", err)
	}
	return path, nil
}
