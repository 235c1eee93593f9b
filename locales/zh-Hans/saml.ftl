error-saml-unsolicited-title = 无法从此处打开此应用
error-saml-unsolicited-text = 该应用只接受由其自身发起的登录。请打开该应用并在其中登录。
error-saml-logout-title = 无法使用此注销请求
error-saml-logout-text = 将您引导至此的应用发送了无法使用的注销请求。您可能仍处于登录状态：请打开用户门户并在其中注销。
post-logout-title = 正在注销
post-logout-text = 正在逐个注销您的应用。如果没有反应，请点击“继续”。
