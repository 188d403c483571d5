// Reads metrics, discovery and OpenAPI with the clients that the HPA controller and kubectl are made
// of, in every form and version, and prints what they decoded, one line for each answer.
//
//	clients KUBECONFIG NAMESPACE
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"sort"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/kube-openapi/pkg/spec3"
	"k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	"k8s.io/metrics/pkg/client/custom_metrics"
	"k8s.io/metrics/pkg/client/external_metrics"
)

const protobuf = "application/vnd.kubernetes.protobuf"

// Forms are what a client says that it takes; the last is the controller manager's.
var forms = []struct{ name, accept, contentType string }{
	{"json", "application/json", "application/json"},
	{"protobuf", protobuf, protobuf},
	{"manager", protobuf + ", */*", protobuf},
}

func main() {
	base, err := clientcmd.BuildConfigFromFlags("", os.Args[1])
	must(err)
	namespace := os.Args[2]
	for _, form := range forms {
		seen := &contentTypes{}
		config := rest.CopyConfig(base)
		config.AcceptContentTypes = form.accept
		config.ContentType = protobuf
		config.Wrap(func(inner http.RoundTripper) http.RoundTripper {
			seen.inner = inner
			return seen
		})
		for _, version := range []string{"v1beta1", "v1beta2"} {
			custom(config, form.name+" "+version, namespace, version)
		}
		external(config, form.name, namespace)
		say(form.name, "came as", strings.Join(seen.sorted(), ","))
	}
	discovered(base)
	described(base)
}

func custom(config *rest.Config, prefix, namespace, version string) {
	gv := schema.GroupVersion{Group: "custom.metrics.k8s.io", Version: version}
	client, err := custom_metrics.NewForVersionForConfig(config, mapper(), gv)
	must(err)
	pod := schema.GroupKind{Kind: "Pod"}
	vllm := labels.SelectorFromSet(labels.Set{"engine": "vllm"})

	list, err := client.NamespacedMetrics(namespace).GetForObjects(pod, labels.Everything(), "queue", vllm)
	must(err)
	for _, item := range list.Items {
		say(prefix, "pods", shown(&item))
	}
	deployment := schema.GroupKind{Group: "apps", Kind: "Deployment"}
	one, err := client.NamespacedMetrics(namespace).GetForObject(deployment, "llama", "rps", labels.NewSelector())
	must(err)
	say(prefix, "object", shown(one))
	one, err = client.RootScopedMetrics().GetForObject(schema.GroupKind{Kind: "Node"}, "node-0", "temperature", labels.NewSelector())
	must(err)
	say(prefix, "node", shown(one))
	one, err = client.RootScopedMetrics().GetForObject(schema.GroupKind{Kind: "Namespace"}, namespace, "tokens", labels.NewSelector())
	must(err)
	say(prefix, "namespace", shown(one))
	_, err = client.NamespacedMetrics(namespace).GetForObject(pod, "nobody", "queue", labels.NewSelector())
	say(prefix, "refused", fmt.Sprint(err))
}

func external(config *rest.Config, prefix, namespace string) {
	client, err := external_metrics.NewForConfig(config)
	must(err)
	list, err := client.NamespacedMetrics(namespace).List("demand", labels.SelectorFromSet(labels.Set{"model": "llama"}))
	must(err)
	for _, item := range list.Items {
		age(item.Timestamp.Time)
		say(prefix, "external", fmt.Sprintf("%s %v = %s", item.MetricName, item.MetricLabels, item.Value.String()))
	}
	_, err = client.NamespacedMetrics(namespace).List("unknown", labels.NewSelector())
	say(prefix, "external refused", fmt.Sprint(err))
}

// One value in one line, whatever it lacks.
func shown(item *v1beta2.MetricValue) string {
	age(item.Timestamp.Time)
	object := item.DescribedObject
	selector := "-"
	if item.Metric.Selector != nil {
		text, err := json.Marshal(item.Metric.Selector)
		must(err)
		selector = string(text)
	}
	return fmt.Sprintf("%s %s %s/%s %s %s = %s", object.APIVersion, object.Kind, object.Namespace, object.Name,
		item.Metric.Name, selector, item.Value.String())
}

// A decoded time is one of the last minutes, or it was decoded wrongly.
func age(at time.Time) {
	if since := time.Since(at); since < -5*time.Second || since > 5*time.Minute {
		must(fmt.Errorf("a sample from %v", at))
	}
}

// What the aggregator made of discovery: every resource of the groups, by version.
func discovered(config *rest.Config) {
	client, err := discovery.NewDiscoveryClientForConfig(config)
	must(err)
	groups, resources, failed, err := client.GroupsAndMaybeResources()
	must(err)
	// The aggregator may still know what another adapter listed.
	for deadline := time.Now().Add(90 * time.Second); !listed(resources, "demand") && time.Now().Before(deadline); {
		time.Sleep(time.Second)
		groups, resources, failed, err = client.GroupsAndMaybeResources()
		must(err)
	}
	for _, group := range groups.Groups {
		if strings.HasSuffix(group.Name, ".metrics.k8s.io") {
			say("discovery", "preferred", group.PreferredVersion.GroupVersion)
		}
	}
	for version, err := range failed {
		must(fmt.Errorf("%v: %w", version, err))
	}
	var lines []string
	for version, list := range resources {
		if !strings.HasSuffix(version.Group, ".metrics.k8s.io") {
			continue
		}
		for _, resource := range list.APIResources {
			lines = append(lines, fmt.Sprintf("%s %s %s namespaced=%v %v", version.String(), resource.Name, resource.Kind,
				resource.Namespaced, resource.Verbs))
		}
	}
	sort.Strings(lines)
	for _, line := range lines {
		say("discovery", "resource", line)
	}
}

func listed(resources map[schema.GroupVersion]*metav1.APIResourceList, name string) bool {
	for _, list := range resources {
		for _, resource := range list.APIResources {
			if resource.Name == name {
				return true
			}
		}
	}
	return false
}

// OpenAPI as kube-apiserver serves it: version 3 as it came from the adapter, version 2 merged with
// that of all other servers, which takes the aggregator a moment.
func described(config *rest.Config) {
	client, err := discovery.NewDiscoveryClientForConfig(config)
	must(err)
	paths, err := client.OpenAPIV3().Paths()
	must(err)
	for _, version := range []string{"custom.metrics.k8s.io/v1beta1", "custom.metrics.k8s.io/v1beta2", "external.metrics.k8s.io/v1beta1"} {
		group, found := paths["apis/"+version]
		if !found {
			must(fmt.Errorf("no OpenAPI of %s", version))
		}
		text, err := group.Schema("application/json")
		must(err)
		var document spec3.OpenAPI
		must(json.Unmarshal(text, &document))
		say("openapi v3", version, fmt.Sprintf("%d paths, %d schemas", len(document.Paths.Paths), len(document.Components.Schemas)))
	}
	deadline := time.Now().Add(90 * time.Second)
	for {
		merged, err := client.RESTClient().Get().AbsPath("/openapi/v2").SetHeader("Accept", "application/json").Do(context.Background()).Raw()
		must(err)
		var document struct {
			Paths       map[string]any
			Definitions map[string]any
		}
		must(json.Unmarshal(merged, &document))
		nPaths, nDefinitions := 0, 0
		for path := range document.Paths {
			if strings.HasPrefix(path, "/apis/custom.metrics.k8s.io/") || strings.HasPrefix(path, "/apis/external.metrics.k8s.io/") {
				nPaths++
			}
		}
		for name := range document.Definitions {
			if strings.HasPrefix(name, "io.k8s.metrics.pkg.apis.") {
				nDefinitions++
			}
		}
		if nPaths > 0 || time.Now().After(deadline) {
			say("openapi v2", "merged", fmt.Sprintf("%d paths, %d definitions", nPaths, nDefinitions))
			return
		}
		time.Sleep(time.Second)
	}
}

func mapper() meta.RESTMapper {
	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{{Version: "v1"}, {Group: "apps", Version: "v1"}})
	for _, it := range []struct {
		kind  schema.GroupVersionKind
		scope meta.RESTScope
	}{
		{schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, meta.RESTScopeNamespace},
		{schema.GroupVersionKind{Version: "v1", Kind: "Node"}, meta.RESTScopeRoot},
		{schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, meta.RESTScopeRoot},
		{schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}, meta.RESTScopeNamespace},
	} {
		mapper.Add(it.kind, it.scope)
	}
	return mapper
}

// contentTypes notes in which form answers came.
type contentTypes struct {
	inner http.RoundTripper
	seen  map[string]bool
}

func (c *contentTypes) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := c.inner.RoundTrip(request)
	if err == nil {
		if c.seen == nil {
			c.seen = map[string]bool{}
		}
		c.seen[response.Header.Get("Content-Type")] = true
	}
	return response, err
}

func (c *contentTypes) sorted() []string {
	var all []string
	for contentType := range c.seen {
		all = append(all, contentType)
	}
	sort.Strings(all)
	return all
}

func say(parts ...string) {
	fmt.Println(strings.Join(parts, ": "))
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
