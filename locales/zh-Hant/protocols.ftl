post-title = 您已登入
post-text = 正在返回應用程式。如果沒有反應，請按「繼續」。
error-oidc-client-title = 無法使用此登入要求
error-oidc-client-text = 此服務無法識別將您導向此處的應用程式。請返回應用程式並再試一次，或告知技術支援中心。
error-oidc-redirect-title = 無法使用此登入要求
error-oidc-redirect-text = 將您導向此處的應用程式要求將結果傳送至未為其註冊的位址。系統並未傳送任何內容至該位址。請告知技術支援中心。
error-saml-request-title = 無法使用此登入要求
error-saml-request-text = 將您導向此處的應用程式送出了無法使用的要求。請返回應用程式並再試一次。如果再次發生，請告知技術支援中心。
