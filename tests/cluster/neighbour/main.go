// A server of external metrics as KEDA's adapter and others are: a generic API server that leaves it to
// the cluster who a caller is and what it may. The labels of what it answers say whom it took the
// caller for.
//
//	neighbour KUBECONFIG PORT CERTIFICATE KEY
package main

import (
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apiserver/pkg/endpoints/handlers/negotiation"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"
	"k8s.io/apiserver/pkg/endpoints/request"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/options"
	"k8s.io/apiserver/pkg/util/compatibility"
	"k8s.io/metrics/pkg/apis/external_metrics/v1beta1"
)

var (
	scheme  = runtime.NewScheme()
	codecs  = serializer.NewCodecFactory(scheme)
	version = v1beta1.SchemeGroupVersion
	prefix  = "/apis/" + version.String()
)

func main() {
	kubeconfig, certificate, key := os.Args[1], os.Args[3], os.Args[4]
	port, err := strconv.Atoi(os.Args[2])
	must(err)
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	must(v1beta1.AddToScheme(scheme))

	config := genericapiserver.NewConfig(codecs)
	config.EffectiveVersion = compatibility.DefaultBuildEffectiveVersion()
	secure := options.NewSecureServingOptions().WithLoopback()
	secure.BindAddress = net.IPv4(127, 0, 0, 1)
	secure.BindPort = port
	secure.ServerCert.CertKey = options.CertKey{CertFile: certificate, KeyFile: key}
	must(secure.ApplyTo(&config.SecureServing, &config.LoopbackClientConfig))
	authentication := options.NewDelegatingAuthenticationOptions()
	authentication.RemoteKubeConfigFile = kubeconfig
	must(authentication.ApplyTo(&config.Authentication, config.SecureServing, nil))
	authorization := options.NewDelegatingAuthorizationOptions()
	authorization.RemoteKubeConfigFile = kubeconfig
	must(authorization.ApplyTo(&config.Authorization))
	server, err := config.Complete(nil).New("neighbour", genericapiserver.NewEmptyDelegate())
	must(err)

	server.Handler.NonGoRestfulMux.HandleFunc(prefix, resources)
	server.Handler.NonGoRestfulMux.HandlePrefix(prefix+"/", http.HandlerFunc(metric))
	must(server.PrepareRun().RunWithContext(genericapiserver.SetupSignalContext()))
}

// resources is what kube-apiserver looks at to find out whether the API is there.
func resources(w http.ResponseWriter, r *http.Request) {
	list := &metav1.APIResourceList{GroupVersion: version.String(), APIResources: []metav1.APIResource{{
		Name: "externalmetrics", Namespaced: true, Kind: "ExternalMetricValueList", Verbs: metav1.Verbs{"get"},
	}}}
	answer(w, r, schema.GroupVersion{Version: "v1"}, list)
}

// metric answers 7 for the metric `queue` of any namespace.
func metric(w http.ResponseWriter, r *http.Request) {
	info, _ := request.RequestInfoFrom(r.Context())
	if info.Resource != "queue" {
		err := apierrors.NewNotFound(v1beta1.Resource(info.Resource), "")
		responsewriters.ErrorNegotiated(err, codecs, version, w, r)
		return
	}
	user, _ := request.UserFrom(r.Context())
	labels := map[string]string{
		"user":      user.GetName(),
		"groups":    strings.Join(user.GetGroups(), ","),
		"selector":  r.URL.Query().Get("labelSelector"),
		"namespace": info.Namespace,
		"via":       r.Header.Get("Via"),
	}
	answer(w, r, version, &v1beta1.ExternalMetricValueList{Items: []v1beta1.ExternalMetricValue{{
		MetricName:   "queue",
		MetricLabels: labels,
		Timestamp:    metav1.NewTime(time.Now()),
		Value:        *resource.NewQuantity(7, resource.DecimalSI),
	}}})
}

func answer(w http.ResponseWriter, r *http.Request, version schema.GroupVersion, object runtime.Object) {
	responsewriters.WriteObjectNegotiated(codecs, negotiation.DefaultEndpointRestrictions, version, w, r, http.StatusOK, object, false)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
