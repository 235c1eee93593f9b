post-title = 您已登录
post-text = 正在返回应用。如果没有反应，请点击“继续”。
error-oidc-client-title = 无法使用此登录请求
error-oidc-client-text = 此服务无法识别将您引导至此的应用。请返回应用并重试，或告知技术支持人员。
error-oidc-redirect-title = 无法使用此登录请求
error-oidc-redirect-text = 将您引导至此的应用要求将结果发送到未为其注册的地址。系统未向该地址发送任何内容。请告知技术支持人员。
error-saml-request-title = 无法使用此登录请求
error-saml-request-text = 将您引导至此的应用发送了无法使用的请求。请返回应用并重试。如果问题再次出现，请告知技术支持人员。
